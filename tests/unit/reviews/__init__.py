"""The mentor's desk: rules, services, selectors, pages, and what becomes of hostile notebooks."""
