"""How much the embedded AWS's services add to the processes that they run."""
