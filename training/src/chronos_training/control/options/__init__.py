"""What a person may set, and the rules that it must keep."""
