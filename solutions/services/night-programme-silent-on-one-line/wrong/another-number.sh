# fails: both lines answer thirty listeners in a row
# A second Service that reaches everybody, at a number that nobody knows.
kubectl -n radio expose deployment player --name player-anywhere --type NodePort --port 80 --target-port 8080
