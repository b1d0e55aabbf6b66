# also right: everything that leads by way of the dead machine, whatever address it is for.
podwalk node "$WORKER" -- ip route flush via 172.18.0.77
