import CarillonEvents
import CarillonRules
import Testing

@Suite("Patterns: each operator means what event-ruler documents", .timeLimit(.minutes(5)))
struct OperatorTests {
    @Test("single values", arguments: OperatorGoldens.values)
    func values(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("numbers", arguments: OperatorGoldens.numbers)
    func numbers(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("texts", arguments: OperatorGoldens.texts)
    func texts(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("anything-but", arguments: OperatorGoldens.exclusions)
    func exclusions(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("addresses", arguments: OperatorGoldens.addresses)
    func addresses(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("presence", arguments: OperatorGoldens.presence)
    func presence(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }
}

enum OperatorGoldens {
    static let values: [Golden] = all(
        Golden.fits(#"{"a":["x","y"]}"#, #"{"a":"y","b":1}"#, #"{"a":["z","x"]}"#),
        Golden.not(
            #"{"a":["x"]}"#, #"{"a":"X"}"#, #"{"a":"xx"}"#, #"{"a":""}"#, #"{"a":{"x":"x"}}"#, "{}", #"{"b":"x"}"#),
        Golden.fits(#"{"a":[""]}"#, #"{"a":""}"#),
        Golden.not(#"{"a":[""]}"#, #"{"a":null}"#, #"{"a":[]}"#),
        Golden.fits(#"{"a":[null]}"#, #"{"a":null}"#, #"{"a":[1,null]}"#),
        Golden.not(#"{"a":[null]}"#, "{}", #"{"a":"null"}"#, #"{"a":0}"#),
        Golden.fits(#"{"a":[true]}"#, #"{"a":true}"#),
        Golden.not(#"{"a":[true]}"#, #"{"a":false}"#, #"{"a":"true"}"#),
        Golden.fits(#"{"a":["1"]}"#, #"{"a":"1"}"#),
        Golden.not(#"{"a":["1"]}"#, #"{"a":1}"#),
        Golden.fits(#"{"a":[{"exactly":"x"}]}"#, #"{"a":"x"}"#),
        Golden.fits(#"{"a":["é"]}"#, #"{"a":"\u00e9"}"#, #"{"\u0061":"é"}"#),
        Golden.not(#"{"a":["é"]}"#, #"{"a":"e\u0301"}"#),
        Golden.fits(#"{"\u0061":["\ud83d\ude00"]}"#, #"{"a":"😀"}"#),
        Golden.fits(#"{"a":["10.0.0.1"]}"#, #"{"a":"10.0.0.1"}"#),
        Golden.not(#"{"a":["10.0.0.1"]}"#, #"{"a":"10.0.0.2"}"#),
        Golden.fits(#"{"a":["08:23"]}"#, #"{"a":"08:23"}"#))

    static let numbers: [Golden] = all(
        Golden.fits(
            #"{"a":[300]}"#, #"{"a":300}"#, #"{"a":300.0}"#, #"{"a":3.0e2}"#, #"{"a":3E+2}"#, #"{"a":30000e-2}"#),
        Golden.not(#"{"a":[300]}"#, #"{"a":"300"}"#, #"{"a":301}"#, #"{"a":300.0000000000001}"#),
        Golden.fits(#"{"a":[3.0e2]}"#, #"{"a":300}"#),
        Golden.fits(#"{"a":[-0]}"#, #"{"a":0}"#, #"{"a":-0.0e9}"#),
        Golden.fits(#"{"a":[123456789012]}"#, #"{"a":123456789012}"#),
        Golden.fits(#"{"a":[27.807807921694092]}"#, #"{"a":27.807807921694092}"#, #"{"a":27807807921694092e-15}"#),
        Golden.not(#"{"a":[27.807807921694092]}"#, #"{"a":27.80780792169409}"#, #"{"a":27.8078}"#),
        Golden.not(#"{"a":[0.1]}"#, #"{"a":0.10000000000000001}"#),
        // No double says 2^53 + 1: it equals its own spelling only, and is neither above nor below anything.
        Golden.fits(#"{"a":[9007199254740993]}"#, #"{"a":9007199254740993}"#),
        Golden.not(#"{"a":[9007199254740993]}"#, #"{"a":9007199254740992}"#, #"{"a":9007199254740993.0}"#),
        Golden.not(#"{"a":[9007199254740992]}"#, #"{"a":9007199254740993}"#),
        Golden.not(#"{"a":[{"numeric":[">",0]}]}"#, #"{"a":9007199254740993}"#, #"{"a":1e400}"#),
        Golden.fits(#"{"a":[1e400]}"#, #"{"a":1e400}"#),
        Golden.not(#"{"a":[1e400]}"#, #"{"a":10e399}"#),
        Golden.fits(#"{"a":[{"numeric":["=",3.018e2]}]}"#, #"{"a":301.8}"#),
        Golden.fits(#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, #"{"a":5}"#, #"{"a":5e-324}"#, #"{"a":[9,1]}"#),
        Golden.not(#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, #"{"a":0}"#, #"{"a":-0.0}"#, #"{"a":5.000000000000001}"#),
        Golden.not(#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, #"{"a":"3"}"#, #"{"a":true}"#, #"{"a":null}"#),
        Golden.fits(#"{"a":[{"numeric":["<",0]}]}"#, #"{"a":-1e-300}"#, #"{"a":-1.7976931348623157e308}"#),
        Golden.fits(#"{"a":[{"numeric":[">=",-2.5]}]}"#, #"{"a":-2.5}"#, #"{"a":1e23}"#),
        Golden.not(#"{"a":[{"numeric":["<=",-2.5]}]}"#, #"{"a":-2.4}"#),
        Golden.fits(#"{"a":[{"numeric":[">",1e10]}]}"#, #"{"a":1e11}"#))

    static let texts: [Golden] = all(
        Golden.fits(#"{"a":[{"prefix":"ab"}]}"#, #"{"a":"ab"}"#, #"{"a":"abc"}"#, #"{"a":["x","abd"]}"#),
        Golden.not(#"{"a":[{"prefix":"ab"}]}"#, #"{"a":"a"}"#, #"{"a":"Ab"}"#, #"{"a":"xab"}"#),
        Golden.fits(#"{"a":[{"prefix":""}]}"#, #"{"a":""}"#, #"{"a":"x"}"#),
        Golden.not(#"{"a":[{"prefix":""}]}"#, #"{"a":1}"#),
        Golden.not(#"{"a":[{"prefix":"1"}]}"#, #"{"a":123}"#),
        Golden.fits(#"{"a":[{"suffix":"ec2"}]}"#, #"{"a":"aws.ec2"}"#, #"{"a":"ec2"}"#),
        Golden.not(#"{"a":[{"suffix":"ec2"}]}"#, #"{"a":"aws.ec2x"}"#, #"{"a":"EC2"}"#),
        Golden.fits(#"{"a":[{"suffix":"统治者"}]}"#, #"{"a":"大唐统治者"}"#),
        Golden.fits(#"{"a":[{"equals-ignore-case":"aBc"}]}"#, #"{"a":"AbC"}"#),
        Golden.not(#"{"a":[{"equals-ignore-case":"aBc"}]}"#, #"{"a":"abcd"}"#, #"{"a":"ab"}"#),
        Golden.fits(#"{"a":[{"equals-ignore-case":"ÉCOLE"}]}"#, #"{"a":"école"}"#),
        Golden.fits(#"{"a":[{"equals-ignore-case":"straße"}]}"#, #"{"a":"STRASSE"}"#, #"{"a":"Straße"}"#),
        Golden.fits(#"{"a":[{"equals-ignore-case":"Ⱥbⱥ"}]}"#, #"{"a":"ⱥBȺ"}"#),
        Golden.fits(#"{"a":[{"equals-ignore-case":"\ud801\udc00"}]}"#, #"{"a":"\ud801\udc28"}"#),
        Golden.fits(#"{"a":[{"prefix":{"equals-ignore-case":"EventB"}}]}"#, #"{"a":"eventbridge"}"#),
        Golden.not(#"{"a":[{"prefix":{"equals-ignore-case":"EventB"}}]}"#, #"{"a":"event"}"#),
        Golden.fits(#"{"a":[{"suffix":{"equals-ignore-case":"ßE"}}]}"#, #"{"a":"STRASSE"}"#, #"{"a":"straße"}"#),
        Golden.fits(#"{"a":[{"suffix":{"equals-ignore-case":"TBRIDGE"}}]}"#, #"{"a":"EventBridge"}"#),
        Golden.fits(
            #"{"a":[{"wildcard":"Simple*Service"}]}"#, #"{"a":"SimpleService"}"#, #"{"a":"SimpleQueueService"}"#),
        Golden.not(#"{"a":[{"wildcard":"Simple*Service"}]}"#, #"{"a":"SimpleService2"}"#, #"{"a":"xSimpleService"}"#),
        Golden.not(#"{"a":[{"wildcard":"ab*ba"}]}"#, #"{"a":"aba"}"#),
        Golden.fits(#"{"a":[{"wildcard":"ab*ba"}]}"#, #"{"a":"abba"}"#),
        Golden.fits(#"{"a":[{"wildcard":"*a*aab*"}]}"#, #"{"a":"aaaab"}"#, #"{"a":"xaxaabx"}"#),
        Golden.not(#"{"a":[{"wildcard":"*a*aab*"}]}"#, #"{"a":"aab"}"#),
        Golden.fits(#"{"a":[{"wildcard":"*"}]}"#, #"{"a":""}"#, #"{"a":"x"}"#),
        Golden.not(#"{"a":[{"wildcard":"*"}]}"#, #"{"a":1}"#),
        Golden.fits(#"{"a":[{"wildcard":""}]}"#, #"{"a":""}"#),
        Golden.not(#"{"a":[{"wildcard":""}]}"#, #"{"a":"x"}"#),
        Golden.fits(#"{"a":[{"wildcard":"1\\*2*\\\\3"}]}"#, #"{"a":"1*2x\\3"}"#),
        Golden.not(#"{"a":[{"wildcard":"1\\*2"}]}"#, #"{"a":"1x2"}"#))

    static let exclusions: [Golden] = all(
        Golden.fits(#"{"a":[{"anything-but":"x"}]}"#, #"{"a":"y"}"#, #"{"a":1}"#, #"{"a":null}"#, #"{"a":true}"#),
        Golden.fits(#"{"a":[{"anything-but":"x"}]}"#, #"{"a":["x","y"]}"#),
        Golden.not(
            #"{"a":[{"anything-but":"x"}]}"#, #"{"a":"x"}"#, "{}", #"{"a":[]}"#, #"{"a":["x"]}"#, #"{"a":{"b":1}}"#),
        Golden.not(#"{"a":[{"anything-but":["x","y"]}]}"#, #"{"a":"y"}"#),
        Golden.not(#"{"a":[{"anything-but":123}]}"#, #"{"a":123}"#, #"{"a":1.23e2}"#),
        Golden.fits(#"{"a":[{"anything-but":[100,200]}]}"#, #"{"a":300}"#, #"{"a":"100"}"#, #"{"a":9007199254740993}"#),
        Golden.not(#"{"a":[{"anything-but":{"prefix":"Fai"}}]}"#, #"{"a":"Failed"}"#),
        Golden.fits(#"{"a":[{"anything-but":{"prefix":"Fai"}}]}"#, #"{"a":"fai"}"#, #"{"a":5}"#),
        Golden.not(#"{"a":[{"anything-but":{"prefix":["a","b"]}}]}"#, #"{"a":"bx"}"#),
        Golden.not(#"{"a":[{"anything-but":{"suffix":[".png",".jpg"]}}]}"#, #"{"a":"x.jpg"}"#),
        Golden.not(#"{"a":[{"anything-but":{"equals-ignore-case":["yes","no"]}}]}"#, #"{"a":"NO"}"#),
        Golden.fits(#"{"a":[{"anything-but":{"equals-ignore-case":"no"}}]}"#, #"{"a":"No!"}"#),
        Golden.not(
            #"{"a":[{"anything-but":{"wildcard":["*/lib/*","*.o"]}}]}"#, #"{"a":"/usr/lib/x"}"#, #"{"a":"x.o"}"#),
        Golden.fits(#"{"a":[{"anything-but":{"wildcard":"*/lib/*"}}]}"#, #"{"a":"/usr/bin/x"}"#),
        // Several in one list: one of them is enough.
        Golden.fits(#"{"a":[{"anything-but":"x"},{"anything-but":"y"}]}"#, #"{"a":"x"}"#),
        Golden.fits(#"{"a":[{"anything-but":"x"},"x"]}"#, #"{"a":"x"}"#))

    static let addresses: [Golden] = all(
        Golden.fits(
            #"{"a":[{"cidr":"10.0.0.0/24"}]}"#, #"{"a":"10.0.0.251"}"#, #"{"a":"10.0.0.0"}"#,
            #"{"a":"::ffff:10.0.0.9"}"#),
        Golden.not(
            #"{"a":[{"cidr":"10.0.0.0/24"}]}"#, #"{"a":"10.0.1.0"}"#, #"{"a":"10.0.0.256"}"#, #"{"a":"10.0.0"}"#),
        Golden.not(#"{"a":[{"cidr":"10.0.0.0/24"}]}"#, #"{"a":"10.0.0.1/24"}"#, #"{"a":"010.0.0.1"}"#, #"{"a":10}"#),
        Golden.fits(#"{"a":[{"cidr":"54.240.196.171/24"}]}"#, #"{"a":"54.240.196.1"}"#),
        Golden.fits(#"{"a":[{"cidr":"0.0.0.0/0"}]}"#, #"{"a":"255.255.255.255"}"#),
        Golden.not(#"{"a":[{"cidr":"0.0.0.0/0"}]}"#, #"{"a":"::1"}"#, #"{"a":"x"}"#, #"{"a":0}"#),
        Golden.fits(#"{"a":[{"cidr":"10.0.0.7/32"}]}"#, #"{"a":"10.0.0.7"}"#),
        Golden.fits(#"{"a":[{"cidr":"2001:db8::ff00:42:8329/24"}]}"#, #"{"a":"2001:dff::"}"#),
        Golden.not(#"{"a":[{"cidr":"2001:db8::ff00:42:8329/24"}]}"#, #"{"a":"2001:e00::"}"#, #"{"a":"2001::db8::"}"#),
        Golden.fits(#"{"a":[{"cidr":"::1/128"}]}"#, #"{"a":"0:0:0:0:0:0:0:1"}"#, #"{"a":"::0001"}"#),
        Golden.not(
            #"{"a":[{"cidr":"::/0"}]}"#, #"{"a":":::"}"#, #"{"a":"1:2"}"#, #"{"a":"12345::"}"#,
            #"{"a":"1:2:3:4:5:6:7:8:9"}"#))

    static let presence: [Golden] = all(
        Golden.fits(#"{"a":[{"exists":true}]}"#, #"{"a":null}"#, #"{"a":""}"#, #"{"a":[1]}"#, #"{"a":[[1]]}"#),
        Golden.not(#"{"a":[{"exists":true}]}"#, "{}", #"{"a":{}}"#, #"{"a":{"b":1}}"#, #"{"a":[]}"#, #"{"a":[{}]}"#),
        Golden.fits(#"{"a":[{"exists":false}]}"#, "{}", #"{"a":{"b":1}}"#, #"{"a":[]}"#),
        Golden.not(#"{"a":[{"exists":false}]}"#, #"{"a":null}"#),
        Golden.fits(#"{"a":{"b":[{"exists":false}]}}"#, "{}", #"{"a":1}"#, #"{"a":{"c":1}}"#),
        Golden.fits(#"{"a":["x",{"exists":false}]}"#, #"{"a":"x"}"#, "{}"),
        Golden.not(#"{"a":["x",{"exists":false}]}"#, #"{"a":"y"}"#))
}
