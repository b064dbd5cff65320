/// placeholder
public enum CloudEvents {}
