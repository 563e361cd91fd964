"""What the playbooks of the volatility stack decide: it runs where Ansible runs, without the forecast's own environment."""
