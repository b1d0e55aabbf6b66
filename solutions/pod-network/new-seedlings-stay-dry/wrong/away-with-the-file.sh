# fails: three sprinklers are ready
# The file is broken, and flannel will surely write a new one. It does so at its start, and it has started long ago.
podwalk node "$WORKER2" -- rm /etc/cni/net.d/10-flannel.conflist
