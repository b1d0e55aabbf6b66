# fails: the deeds answer, and nobody in between has read along
# Both behind the route that works. Every second client of either is wrong.
kubectl -n sealroom patch tlsroute wills --type json \
  -p '[{"op":"add","path":"/spec/rules/0/backendRefs/-","value":{"name":"deeds","port":443}}]'
