# fails: each address of the stories is open to the guide
# Two of the three: fewer rooms are silent, and the provider's third machine is as good as the others.
kubectl -n castle patch networkpolicy guide-goes-out --type json -p \
  '[{"op":"add","path":"/spec/egress/1/to/-","value":{"ipBlock":{"cidr":"172.18.1.33/32"}}}]'
