package ch.randelshofer.fastdoubleparser;

import java.math.BigDecimal;

/**
 * Stands in for the one class event-ruler uses of a library that Debian does not have: it reads numbers in rules and events
 * with the JDK's own parser.
 */
public final class JavaBigDecimalParser {
    private JavaBigDecimalParser() {}

    public static BigDecimal parseBigDecimal(CharSequence text) {
        return new BigDecimal(text.toString());
    }
}
