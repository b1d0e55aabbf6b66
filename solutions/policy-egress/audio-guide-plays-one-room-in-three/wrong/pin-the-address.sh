# fails: each address of the stories is open to the guide
# The fast address is written into the guide: every room plays, until the provider takes that one machine away.
kubectl -n castle patch deployment guide --type merge -p \
  '{"spec":{"template":{"spec":{"hostAliases":[{"ip":"172.18.1.31","hostnames":["cdn.outside.test"]}]}}}}'
kubectl -n castle rollout status deployment guide --timeout 60s
