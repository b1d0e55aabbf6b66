# also right: what is written down is what the gateway of this very node says. The audit is content, and so are the packets.
kubectl -n buoys patch configmap before-launch --type merge -p '{"data":{"pin.sh":"gateway=$(ip -4 route show default | cut -d\" \" -f3)\nping -c1 -W2 $gateway\nmac=$(ip neigh show $gateway | sed \"s/.*lladdr \\([0-9a-f:]*\\).*/\\1/\")\nip neigh replace $gateway lladdr $mac dev eth0 nud permanent\n"}}'
kubectl -n buoys rollout restart deployment buoy
kubectl -n buoys rollout status deployment buoy --timeout 60s
