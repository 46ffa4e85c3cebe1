enum Kind { Circle = "circle", Square = "square" }

interface Shape<T extends Kind = Kind> {
  readonly kind: T;
  size: number;
}

export const area = <T extends Kind>({ kind, size }: Shape<T>): number =>
  (kind as Kind) === Kind.Circle ? Math.PI * size ** 2 : size * size;
