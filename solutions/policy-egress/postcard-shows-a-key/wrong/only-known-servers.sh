# fails: that holds for the next Pods as well
# The servers of last week's orders, one by one. The next customer names another.
kubectl -n printshop patch networkpolicy pictures --type json -p '[{"op":"replace","path":"/spec/egress/0/to",
  "value":[{"ipBlock":{"cidr":"172.18.1.0/24"}},{"podSelector":{}}]}]'
