"""What `agent: infrastructure` is made of: one module for each thing that is asked, and one for what is made of it."""
