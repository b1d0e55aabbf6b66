# The bank's firewall: one address, and nobody has it now.
podwalk outside -- sh -eu -c '
  mkdir -p /run/bank
  echo "payroll: 172.18.0.$1" >/run/bank/let-in
  nft -f - <<RULES
table inet bank {
  chain input {
    type filter hook input priority 0; policy accept;
    ip daddr 172.18.1.12 tcp dport 80 ip saddr != 172.18.0.$1 counter drop
  }
}
RULES' sh "$LAB_HOST"
