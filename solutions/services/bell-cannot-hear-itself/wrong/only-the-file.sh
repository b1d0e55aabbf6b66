# fails: the bell hears itself thirty times in a row
# The file is right on both workers. But it is a recipe: nobody reads it again for a Pod that is there.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sed -i 's/"hairpinMode": false/"hairpinMode": true/' /etc/cni/net.d/10-flannel.conflist
done
