"""A class on one machine: a roster's clusters, each in a folder of its own, and what the learners have reached."""
