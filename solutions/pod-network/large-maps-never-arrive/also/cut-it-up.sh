# also right: the outer packet may be cut in two again. Everything arrives, and every large packet costs two.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- ip link set flannel.1 type vxlan id 1 df unset
done
