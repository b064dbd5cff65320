#ifndef CARILLON_CCURL_H
#define CARILLON_CCURL_H
#include <curl/curl.h>

// curl_easy_setopt and friends are variadic, which Swift cannot call: one typed door each.
static inline CURLcode carillon_setopt_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode carillon_setopt_off(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode carillon_setopt_ptr(CURL *h, CURLoption o, const void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode carillon_setopt_write(CURL *h, size_t (*f)(char *, size_t, size_t, void *)) {
    return curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, f);
}
static inline CURLcode carillon_setopt_read(CURL *h, size_t (*f)(char *, size_t, size_t, void *)) {
    return curl_easy_setopt(h, CURLOPT_READFUNCTION, f);
}
static inline CURLcode carillon_setopt_header(CURL *h, size_t (*f)(char *, size_t, size_t, void *)) {
    return curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, f);
}
static inline CURLcode carillon_setopt_opensocket(
    CURL *h, curl_socket_t (*f)(void *, curlsocktype, struct curl_sockaddr *)) {
    return curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, f);
}
static inline CURLcode carillon_getinfo_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode carillon_getinfo_ptr(CURL *h, CURLINFO i, void **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode carillon_getinfo_socket(CURL *h, CURLINFO i, curl_socket_t *v) {
    return curl_easy_getinfo(h, i, v);
}
static inline CURLMcode carillon_multi_setopt_long(CURLM *m, CURLMoption o, long v) {
    return curl_multi_setopt(m, o, v);
}
static inline CURLcode carillon_setopt_closesocket(CURL *h, int (*f)(void *, curl_socket_t)) {
    return curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, f);
}
static inline CURLMcode carillon_multi_on_socket(
    CURLM *m, int (*f)(CURL *, curl_socket_t, int, void *, void *), void *p) {
    CURLMcode c = curl_multi_setopt(m, CURLMOPT_SOCKETDATA, p);
    return c ? c : curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, f);
}
static inline CURLMcode carillon_multi_on_timer(CURLM *m, int (*f)(CURLM *, long, void *), void *p) {
    CURLMcode c = curl_multi_setopt(m, CURLMOPT_TIMERDATA, p);
    return c ? c : curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, f);
}
static inline CURLcode carillon_setopt_blob(CURL *h, CURLoption o, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return curl_easy_setopt(h, o, &blob);
}
// The folder of authorities libcurl was built with; NULL for none.
static inline const char *carillon_default_capath(void) { return curl_version_info(CURLVERSION_NOW)->capath; }
// CURLMsg keeps its result in a union.
static inline CURLcode carillon_msg_result(const CURLMsg *m) { return m->data.result; }
#endif
