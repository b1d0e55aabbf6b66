# fails: whoever asks for the deeds sees their own seal
# The warning goes, because the wills' certificate has the deeds' name now. What is shown is still a will.
kubectl -n sealroom patch certificate wills --type json -p '[{"op":"add","path":"/spec/dnsNames/-","value":"deeds.notary.example"}]'
kubectl -n sealroom wait --for=condition=Ready certificate wills --timeout 30s
kubectl -n sealroom rollout restart deployment wills
kubectl -n sealroom rollout status deployment wills --timeout 120s
