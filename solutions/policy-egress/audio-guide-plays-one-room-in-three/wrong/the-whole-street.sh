# fails: the guide still reaches nobody else
# One range instead of three addresses. The stories' neighbours live in it, too.
kubectl -n castle patch networkpolicy guide-goes-out --type json -p \
  '[{"op":"replace","path":"/spec/egress/1/to/0/ipBlock/cidr","value":"172.18.1.0/24"}]'
