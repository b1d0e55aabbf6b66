# fails: the rest of the auditors' rules stands
# The turnstiles turn, and cleartext logins to the node are welcome again.
podwalk node "$WORKER2" -- nft delete table inet baseline
