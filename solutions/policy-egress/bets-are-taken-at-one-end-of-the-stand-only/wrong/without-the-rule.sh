# fails: the bookmaker's logbook is right
# Without the rule there are sixty thousand ports, all bets are taken, and nobody can tell from where.
podwalk node "$WORKER" -- iptables -t nat -D POSTROUTING 1
