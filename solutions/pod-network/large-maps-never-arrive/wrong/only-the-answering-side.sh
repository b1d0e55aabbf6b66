# fails: a large packet of any protocol arrives
# Maps come from the atlas, so its node is mended, and maps arrive. What the reader sends is as large as before.
podwalk node "$WORKER2" -- ip link set flannel.1 mtu 1450
