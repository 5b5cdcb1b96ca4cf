"""What receives and stores: edge, spool, loader, store, control store."""
