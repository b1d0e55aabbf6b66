# fails: the gate reads the cold store from outside
# The tunnel forwards again, and all the Pods are content. What comes in by eth0 unwrapped is still kept.
podwalk node "$WORKER2" -- sh -c 'd=/proc/sys/net/ipv4/conf/flannel.1; [ ! -d $d ] || echo 1 >$d/forwarding'
