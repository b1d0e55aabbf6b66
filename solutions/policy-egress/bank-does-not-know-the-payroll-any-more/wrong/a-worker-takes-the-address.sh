# fails: the bank lets both clerks in
# The address on a worker, and what that worker sends there leaves with it. One clerk is in, and so is the calendar.
podwalk node "$WORKER" -- sh -eu -c '
  ip addr add "$1/32" dev eth0
  iptables -t nat -I POSTROUTING 1 -d 172.18.1.12/32 -j SNAT --to-source "$1"' sh "172.18.0.$LAB_HOST"
