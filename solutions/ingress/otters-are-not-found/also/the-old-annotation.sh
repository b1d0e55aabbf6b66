# also right: the annotation from before there were IngressClasses; nginx still reads it, though it is on its way out.
kubectl -n otter-pool annotate ingress otters kubernetes.io/ingress.class=nginx
