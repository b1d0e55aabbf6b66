# fails: three sprinklers are ready
# The scheduler speaks of a taint, so the taint goes. The node lifecycle controller puts it back: the node is NotReady still.
kubectl taint node "$WORKER2" node.kubernetes.io/not-ready:NoSchedule- || true
kubectl taint node "$WORKER2" node.kubernetes.io/not-ready:NoExecute- || true
