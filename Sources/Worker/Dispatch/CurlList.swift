import CCurl

/// A list of texts as libcurl keeps it.
@safe final class CurlList {
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    init(_ texts: [String]) {
        for text in texts {
            guard let longer = unsafe curl_slist_append(first, text) else { continue }
            unsafe first = longer
        }
    }

    deinit { unsafe curl_slist_free_all(first) }
}
