# fails: the office reads the cold store
# "FORWARD" must be the firewall. The chain is never asked, because no packet gets as far as being forwarded.
podwalk node "$WORKER2" -- iptables -P FORWARD ACCEPT
