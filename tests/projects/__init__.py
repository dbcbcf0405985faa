"""The projects as they are, run by the workspace's interpreter."""
