# fails: the tower hears both piers
# Sessions that do not come up are restarted. They do not come up again, for the same reason.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- birdc restart all
done
