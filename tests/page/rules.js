// SPDX-License-Identifier: MIT
// Accessibility rules that the document and its computed styles decide; rules.py evaluates this
// file in the page. Each function returns a list of what is wrong.
(() => {
  const where = element => {
    const id = element.id ? '#' + element.id : '';
    const kind = [...element.classList].map(name => '.' + name).join('');
    const text = (element.textContent || '').trim().slice(0, 40);
    return `${element.localName}${id}${kind} "${text}"`;
  };
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const isShown = element => {
    if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true,
                                  contentVisibilityAuto: true})) return false;
    const box = element.getBoundingClientRect();
    // Text for screen readers only is clipped to a pixel.
    return box.width > 1 && box.height > 1;
  };
  const isHidden = element => element.closest('[aria-hidden=true]') !== null;
  const FOCUSABLE = 'a[href], area[href], button, input:not([type=hidden]), select, textarea,' +
    ' summary, [tabindex], [contenteditable=true]';
  const isFocusable = element => element.tabIndex >= 0 && !element.matches(':disabled') &&
    element.closest('[inert]') === null &&
    element.checkVisibility({visibilityProperty: true});
  const open = () => all('dialog:modal')[0] || document;
  const focusable = () => all(FOCUSABLE, open()).filter(isFocusable).filter(element =>
    // Of a group of radio buttons one is reached with Tab.
    element.type !== 'radio' || element.checked || !element.name ||
    !all('input[type=radio]').some(other => other.name === element.name && other !== element &&
      (other.checked || (!element.checked && other.compareDocumentPosition(element) & 4))));

  // ---- colours ------------------------------------------------------------------------
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const known = new Map();
  const colour = text => {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, below) => {
    const mix = i => top[i] * top[3] + below[i] * (1 - top[3]);
    return [mix(0), mix(1), mix(2), 1];
  };
  const luminance = ([r, g, b]) => [r, g, b].map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const paper = () => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.backgroundColor = 'Canvas';
    const found = colour(getComputedStyle(probe).backgroundColor);
    probe.remove();
    return found;
  };
  // What is behind an element's text; null if it is a picture.
  const behind = (element, base) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const layer = colour(style.backgroundColor);
      if (style.backgroundImage !== 'none') return null;
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), base);
  };
  const opacity = element => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= +getComputedStyle(at).opacity;
    return product;
  };
  const isDisabled = element => element.closest(':disabled, [aria-disabled=true]') !== null;
  const hex = ([r, g, b]) => '#' + [r, g, b].map(value =>
    Math.round(value).toString(16).padStart(2, '0')).join('');
  const judge = (element, style, base, what) => {
    const back = behind(element, base);
    if (!back) return `${where(element)}: ${what} lies on an image`;
    const [r, g, b, a] = colour(style.color);
    const front = over([r, g, b, a * opacity(element)], back);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
    const found = ratio(front, back);
    return found >= least ? null :
      `${where(element)}: ${what} ${hex(front)} on ${hex(back)} has ${found.toFixed(2)}:1`;
  };
  const texts = () => {
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() && !element.closest('script, style, noscript, option'))
        found.add(element);
    }
    return [...found].filter(isShown);
  };
  const wrongOnce = list => [...new Set(list.filter(Boolean))];
  const box = element => {
    const boxes = [element, ...(element.labels || [])].filter(isShown)
      .map(each => each.getBoundingClientRect());
    return {width: Math.max(0, ...boxes.map(b => b.width)),
            height: Math.max(0, ...boxes.map(b => b.height))};
  };
  const isInText = element => getComputedStyle(element).display === 'inline' &&
    [...element.parentElement.childNodes].some(node => node !== element &&
      node.nodeType === 3 && node.data.trim().length > 1);
  const clips = element => ['hidden', 'clip'].includes(getComputedStyle(element).overflowX);
  const scrolls = element => ['auto', 'scroll'].includes(getComputedStyle(element).overflowX) ||
    ['auto', 'scroll'].includes(getComputedStyle(element).overflowY);

  return {
    focusable, where, isShown,

    language: () => /^[a-z]{2,3}(-|$)/i.test(document.documentElement.lang) ? [] :
      ['html has no lang'],

    title: () => document.title.trim() ? [] : ['the document has no title'],

    scaling: () => all('meta[name=viewport]').length === 0 ? ['no viewport is declared'] :
      all('meta[name=viewport]').filter(meta => /user-scalable\s*=\s*(no|0)|maximum-scale/
        .test(meta.content)).map(meta => `the viewport forbids zooming: ${meta.content}`),

    ids: () => {
      const seen = new Set();
      const twice = all('[id]').filter(element => seen.has(element.id) || !seen.add(element.id))
        .map(element => `id "${element.id}" is not unique`);
      const lost = ['aria-labelledby', 'aria-describedby', 'aria-controls', 'aria-owns', 'for']
        .flatMap(name => all(`[${name}]`).flatMap(element => element.getAttribute(name)
          .split(/\s+/).filter(id => id && !document.getElementById(id))
          .map(id => `${where(element)}: ${name} names "${id}", which does not exist`)));
      return [...twice, ...lost];
    },

    labels: () => all('input:not([type=hidden], [type=submit], [type=button]), select, textarea')
      .filter(isShown).filter(element => !element.ariaLabel && !element.labels.length &&
        !element.getAttribute('aria-labelledby')).map(element => `${where(element)} has no label`),

    tables: () => all('table').filter(isShown).flatMap(table => [
      table.caption || table.ariaLabel || table.getAttribute('aria-labelledby') ? null :
        `${where(table)} has no name`,
      ...all('th', table).filter(cell => !cell.scope).map(cell => `${where(cell)} has no scope`),
      ...all('thead th', table).filter(cell => !cell.textContent.trim() && !cell.ariaLabel)
        .map(() => `${where(table)} has an empty header`),
      all('th[scope=col]', table).length ? null : `${where(table)} has no column headers`,
      all('th[scope=row]', table).length || !all('tbody tr', table).length ? null :
        `${where(table)} has no row headers`,
    ]).filter(Boolean),

    hidden: () => all('[aria-hidden=true]').flatMap(element =>
      [element, ...all(FOCUSABLE, element)].filter(isFocusable)
        .map(inner => `${where(inner)} is hidden from screen readers and takes the focus`)),

    roles: () => wrongOnce(all('[onclick], [tabindex="0"]')
      .filter(element => !element.matches(FOCUSABLE.replace(', [tabindex]', '')) &&
        !element.getAttribute('role') && !scrolls(element))
      .map(element => `${where(element)} takes clicks or keys and has no role`)),

    scrollers: () => all('*').filter(isShown).filter(element => scrolls(element) &&
        element !== document.scrollingElement && element !== document.body &&
        (element.scrollWidth > element.clientWidth + 1 ||
         element.scrollHeight > element.clientHeight + 1) &&
        !element.matches('textarea, select'))
      .flatMap(element => element.tabIndex < 0 && !all(FOCUSABLE, element).some(isFocusable) ?
        [`${where(element)} scrolls and cannot be reached by keyboard`] :
        element.tabIndex >= 0 && !element.ariaLabel && !element.getAttribute('aria-labelledby') ?
          [`${where(element)} scrolls, takes the focus and has no name`] : []),

    contrast: () => {
      const base = paper();
      const plain = texts().filter(element => !isDisabled(element) && !isHidden(element))
        .map(element => judge(element, getComputedStyle(element), base, 'text'));
      const hints = all('input, textarea').filter(isShown)
        .filter(element => element.placeholder && !element.value)
        .map(element => judge(element, getComputedStyle(element, '::placeholder'), base,
          'placeholder'));
      const values = all('input, select, textarea').filter(isShown)
        .filter(element => !isDisabled(element) && !['checkbox', 'radio'].includes(element.type))
        .map(element => judge(element, getComputedStyle(element), base, 'value'));
      return wrongOnce([...plain, ...hints, ...values]);
    },

    // The edge of a field must be visible: its border or its ground.
    edges: () => {
      const base = paper();
      return all('input, select, textarea').filter(isShown).filter(element =>
        !isDisabled(element) && !['checkbox', 'radio', 'range'].includes(element.type))
        .map(element => {
          const style = getComputedStyle(element);
          const around = behind(element.parentElement, base);
          const ground = behind(element, base);
          if (!around || !ground) return `${where(element)}: its edge lies on an image`;
          const border = parseFloat(style.borderBottomWidth) > 0 &&
            style.borderBottomStyle !== 'none' ? ratio(over(colour(style.borderBottomColor),
              around), around) : 1;
          return Math.max(border, ratio(ground, around)) >= 3 ? null :
            `${where(element)}: its edge has ${border.toFixed(2)}:1`;
        }).filter(Boolean);
    },

    targets: () => focusable().filter(isShown).filter(element => !isInText(element) &&
        !(scrolls(element) && element.tabIndex >= 0 && !element.matches('button, a')))
      .filter(element => box(element).width < 24 || box(element).height < 24)
      .map(element => `${where(element)} is ${Math.round(box(element).width)} x ` +
        `${Math.round(box(element).height)} pixels, and should be 24 x 24`),

    // `wide`: of the window. A phone's browser enlarges the layout instead of scrolling.
    reflow: wide => {
      const inside = element => element.parentElement &&
        (scrolls(element.parentElement) || clips(element.parentElement) ?
          element.parentElement !== document.documentElement &&
          element.parentElement !== document.body : false) ||
        (element.parentElement ? inside(element.parentElement) : false);
      const found = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth);
      if (found <= wide) return [];
      const culprits = all('body *').filter(isShown).filter(element =>
        element.getBoundingClientRect().right > wide + 1 && !inside(element));
      return [`the document is ${found} pixels wide, not ${wide}: ` +
        culprits.slice(-3).map(where).join('; ')];
    },

    // In a browser whose letters are twice as large (32 pixels).
    letters: () => wrongOnce([
      ...texts().filter(element => parseFloat(getComputedStyle(element).fontSize) < 20)
        .map(element => `${where(element)} stays at ${getComputedStyle(element).fontSize}`),
      ...texts().filter(element => clips(element) && !isHidden(element) &&
          getComputedStyle(element).textOverflow !== 'ellipsis' &&
          (element.scrollWidth > element.clientWidth + 2 ||
           element.scrollHeight > element.clientHeight + 4))
        .map(element => `${where(element)} is cut off`)]),

    // With prefers-reduced-motion.
    motion: () => wrongOnce(all('*').flatMap(element => ['', '::before', '::after'].map(part => {
      const style = getComputedStyle(element, part || null);
      const longest = text => Math.max(...text.split(',').map(parseFloat));
      const moves = (style.animationName !== 'none' && longest(style.animationDuration) > 0.01) ||
        longest(style.transitionDuration) > 0.01 || style.scrollBehavior === 'smooth';
      return moves ? `${where(element)}${part} moves` : null;
    }))),

    // How an element looks; compared with and without the focus.
    look: element => {
      const style = getComputedStyle(element);
      return {outline: style.outlineStyle === 'none' ? '' :
                `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}`,
              shadow: style.boxShadow, border: style.borderColor + style.borderWidth,
              ground: style.backgroundColor};
    },
    outline: element => {
      const style = getComputedStyle(element);
      const base = paper();
      const back = behind(element.parentElement || element, base) || base;
      return {style: style.outlineStyle, wide: parseFloat(style.outlineWidth),
              ratio: ratio(over(colour(style.outlineColor), back), back)};
    },
  };
})()
