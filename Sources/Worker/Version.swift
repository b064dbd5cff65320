/// Which Carillon this is.
public enum CarillonVersion {
    /// The version receivers, logs and `--version` show.
    public static let current = "0.1.0"
}
