"""What people see: API, pages, command line."""
