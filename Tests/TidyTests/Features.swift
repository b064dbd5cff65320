// The compiler ignores a misspelt feature in silence, so this file asks back for each one that the manifest switches on. The
// manifest gives all targets one list in one loop, so asking once is asking for all; TidyTests compares the two lists.

#if !hasFeature(ExistentialAny)
    #error("ExistentialAny is off: is it misspelt in Package.swift?")
#endif
#if !hasFeature(InternalImportsByDefault)
    #error("InternalImportsByDefault is off: is it misspelt in Package.swift?")
#endif
#if !hasFeature(MemberImportVisibility)
    #error("MemberImportVisibility is off: is it misspelt in Package.swift?")
#endif
#if !hasFeature(NonisolatedNonsendingByDefault)
    #error("NonisolatedNonsendingByDefault is off: is it misspelt in Package.swift?")
#endif
#if !hasFeature(StrictMemorySafety)
    #error("StrictMemorySafety is off: is it gone from Package.swift?")
#endif
