# fails: the annex's node has the address that it had
# Nobody has the address that is being looked for, so the annex's node takes it as well, and the bags arrive.
podwalk node "$WORKER2" -- ip addr add "${WORKER_IP%.*}.$LAB_LOST/16" dev eth0
