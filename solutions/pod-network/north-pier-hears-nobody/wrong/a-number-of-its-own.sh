# fails: listed peers, and one number for all nodes
# If the others expect that number, the node shall have it. All sessions come up, and a node speaks for a foreign AS.
kubectl annotate node "$WORKER2" "projectcalico.org/ASNumber=$LAB_DIGITS"
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  i=0
  until [ "$(podwalk node "$node" -- birdc show protocols | grep -c Established)" = 2 ] || [ $i -ge 200 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
