# The same rule with as many ports as the logbook has for this machine.
podwalk node "$WORKER" -- iptables -t nat -R POSTROUTING 1 -s 10.244.0.0/16 -d 172.18.1.11/32 -p tcp \
  -m comment --comment "logbook: 1024 ports" -j MASQUERADE --to-ports "$LAB_FIRST-$((LAB_FIRST + 1023))"
