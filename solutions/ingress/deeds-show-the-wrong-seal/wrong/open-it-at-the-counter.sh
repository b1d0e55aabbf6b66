# fails: the deeds answer, and nobody in between has read along
# The counter gets the deeds' key and opens every letter. The seal is right, and the Pods are handed an opened one.
kubectl -n sealroom patch gateway counter --type json -p '[{"op":"add","path":"/spec/listeners/-","value":{"name":"deeds",
  "port":443,"protocol":"HTTPS","hostname":"deeds.notary.example","tls":{"certificateRefs":[{"name":"deeds-tls"}]}}}]'
