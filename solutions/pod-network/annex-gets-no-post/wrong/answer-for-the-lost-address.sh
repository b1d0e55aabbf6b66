# fails: the sorter reaches every desk of the annex
# The question "who has it?" gets no answer, so the answer is written down by hand. The node gets the bag and disowns it.
mac=$(podwalk node "$WORKER2" -- cat /sys/class/net/eth0/address)
podwalk node "$WORKER" -- ip neigh replace "${WORKER_IP%.*}.$LAB_LOST" lladdr "$mac" dev eth0 nud permanent
