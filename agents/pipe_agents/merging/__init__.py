"""What `agent: findings` is made of: gathering, rules, and the two forms of its report."""
