# fails: each voice finds the others by name
# The audience is refused, so open the audience's Service. It hears three singers who do not hear each other.
kubectl -n choir patch service concert -p '{"spec":{"publishNotReadyAddresses":true}}'
