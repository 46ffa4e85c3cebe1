const kinds = {
  circle: ({ radius }) => Math.PI * radius ** 2,
  rectangle: ({ width, height }) => width * height,
};

export function area(shape) {
  return kinds[shape.kind]?.(shape);
}

export const describe = ({ kind, ...rest }) => `${kind} ${JSON.stringify(rest)}`;

export function notUsed() {
  return "left out of the bundle";
}
