"""The frame of our Ansible modules: arguments in, progress and one result out. Never shipped to an instance."""
