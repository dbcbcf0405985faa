"""Users, roles, sign-in, and the OpenID provider the hub trusts."""
