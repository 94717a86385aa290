"""What pages are made of: finding records, filters, paging, forms, and how values read."""
