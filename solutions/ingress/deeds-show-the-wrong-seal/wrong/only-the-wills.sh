# fails: whoever asks for the deeds sees their own seal
# The wills take no name but their own any more. Now nobody is there for the deeds, and the codicils are lost.
kubectl -n sealroom patch tlsroute wills --type json \
  -p '[{"op":"replace","path":"/spec/hostnames","value":["wills.notary.example"]}]'
