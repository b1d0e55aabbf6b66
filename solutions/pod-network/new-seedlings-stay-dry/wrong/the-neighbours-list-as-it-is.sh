# fails: three sprinklers are ready
# A list that works elsewhere. The node is Ready at once, and the plugin refuses: these are the addresses of another bed.
podwalk node "$WORKER" -- cat /etc/cni/net.d/10-flannel.conflist |
  podwalk node "$WORKER2" -- sh -c 'cat > /etc/cni/net.d/10-flannel.conflist'
kubectl wait node "$WORKER2" --for condition=Ready --timeout 30s
