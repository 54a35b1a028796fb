"""Messages between the nodes of a run: who publishes, who reads, and when nobody is left who could."""
